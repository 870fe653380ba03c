/** Takes hooks whose signature is right: each once, on disk before it is answered, and then a reason to look. */
import { meansImage, type PushedImage } from '../pipelines/watching.ts';
import type { Ledger } from './ledger.ts';
import { IMAGE_PUSHED, takeDelivery } from './store/deliveries.ts';
import type { Pipeline } from './store/pipelines.ts';
import { builds } from './store/runs.ts';
import { noteHook, pollState } from './store/watches.ts';
import type { Watcher } from './watcher.ts';

interface IntakeDeps {
  ledger: Ledger;
  watcher: Watcher;
}

/** Builds whose images are taken for the pipeline's own. */
const OWN_BUILDS = 5;

export function takeHook(
  { ledger, watcher }: IntakeDeps,
  { id }: Pipeline,
  hook: { delivery: string; event: string },
): 'taken' | 'before' | 'off' {
  const answer = ledger.write((tx) => {
    if (!pollState(tx.db, id).settings.push) return 'off';
    if (!takeDelivery(tx.db, id, hook, tx.now)) return 'before';
    noteHook(tx.db, id, tx.now);
    return 'taken';
  });
  if (answer === 'taken') watcher.hooked(id);
  return answer;
}

/** What the pipeline itself pushes is no reason to build it: that would never end. The digest tells one push from another. */
export function takeImages({ ledger, watcher }: IntakeDeps, { id }: Pipeline, images: readonly PushedImage[]): number {
  const taken = ledger.write((tx) => {
    const { settings } = pollState(tx.db, id);
    const own = builds(tx.db, id, { limit: OWN_BUILDS }).flatMap((run) => run.images.map(({ name }) => name));
    const isOwn = ({ repository }: PushedImage) =>
      own.some((name) => repository === name || repository.endsWith(`/${name}`));
    const meant = images.filter((image) => meansImage(settings.images, image) && !isOwn(image));
    return meant.filter(({ repository, tag, digest }) => {
      const delivery = `${repository}:${tag ?? ''}@${digest}`;
      return takeDelivery(tx.db, id, { delivery, event: IMAGE_PUSHED }, tx.now);
    }).length;
  });
  if (taken > 0) watcher.hooked(id);
  return taken;
}
