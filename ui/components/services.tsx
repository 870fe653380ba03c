/** Services of a stack: how many run, how they are, and of which image. */
import type { ObservedService } from '../api/types.ts';
import { useText } from '../i18n/text.tsx';
import css from './services.module.css';
import { Digest } from './short.tsx';
import { Status, type StatusName } from './status.tsx';

interface ServicesProps {
  services: ObservedService[];
  /** As they were deployed; another digest than that is drift. */
  expected?: ObservedService[];
}

export function Services({ services, expected = services }: ServicesProps) {
  const t = useText();
  const digestOf = new Map(expected.map(({ name, digest }) => [name, digest]));
  return (
    <table className={css.services}>
      <thead>
        <tr>
          <th scope="col">{t('service.name')}</th>
          <th scope="col">{t('service.health')}</th>
          <th scope="col">{t('service.image')}</th>
        </tr>
      </thead>
      <tbody>
        {services.map((service) => (
          <tr key={service.name}>
            <td>{service.name}</td>
            <td>
              <Status name={statusOf(service)}>
                {t('service.healthy', { healthy: service.healthy, replicas: service.replicas })}
              </Status>
            </td>
            <td>
              <Digest of={service.digest} />
              {service.digest !== digestOf.get(service.name) && (
                <>
                  {' '}
                  <Status name="drift">{t('drift.expected')}</Status> <Digest of={digestOf.get(service.name) ?? null} />
                </>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function statusOf({ replicas, healthy }: ObservedService): StatusName {
  if (replicas === 0) return 'skipped';
  return healthy === replicas ? 'passed' : 'unstable';
}
