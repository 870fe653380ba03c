/** Figures for Prometheus. No names of projects or people: they are served without a login. */
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Db, row, rows } from './store/db.ts';

export interface Metrics {
  registry: Registry;
  /** Measures every request. */
  observe: RequestHandler;
}

export function createMetrics(db: Db): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  new Gauge({
    name: 'slipway_runs',
    help: 'Runs by kind, status and result',
    labelNames: ['kind', 'status', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { n, ...labels } of rows<{ kind: string; status: string; result: string; n: number }>(
        db,
        "SELECT kind, status, ifnull(result, '') AS result, count(*) AS n FROM runs GROUP BY 1, 2, 3",
      )) {
        this.set(labels, n);
      }
    },
  });
  const counted = (name: string, help: string, sql: string) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(row<{ n: number }>(db, sql)?.n ?? 0);
      },
    });
  counted(
    'slipway_queue_length',
    'Runs that wait for a runner',
    "SELECT count(*) AS n FROM runs WHERE status = 'queued'",
  );
  counted(
    'slipway_outbox_pending',
    'Mails that are not sent yet',
    'SELECT count(*) AS n FROM outbox WHERE sent_at IS NULL',
  );

  const durations = new Histogram({
    name: 'slipway_http_request_seconds',
    help: 'Time until the answer was sent',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const observe: RequestHandler = (request, response, next) => {
    const stop = durations.startTimer();
    response.once('finish', () => {
      // The route's pattern: a path that is chosen by whoever asks would make labels without end.
      const route = String(request.route?.path ?? 'none');
      stop({ method: request.method, route, status: String(response.statusCode) });
    });
    next();
  };
  return { registry, observe };
}
