import { Link } from 'react-router';
import { useLacking } from '../../api/rights.ts';
import type { Deployment, Environment, ObservedService, Stack } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { driftOf } from '../../components/drift.ts';
import { Card } from '../../components/page.tsx';
import { toDeployment } from '../../components/paths.ts';
import { Services } from '../../components/services.tsx';
import { Status } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import { earlierReleases } from './earlier-releases.ts';
import css from './environment.module.css';

interface StackCardProps {
  project: string;
  environment: Environment;
  stack: Stack;
  history: Deployment[];
  onRollBack: () => void;
}

/** A stack as it runs here. */
export function StackCard({ project, environment, stack, history, onRollBack }: StackCardProps) {
  const t = useText();
  const lacking = useLacking(project, 'release-manager');
  const { current, lock, hold, name } = stack;
  const drift = driftOf(stack);
  const none =
    earlierReleases(history, name, current?.release ?? null).length === 0 ? t('environment.noEarlier') : null;
  const link = (number: number) => toDeployment({ project, environment: environment.name, number });
  return (
    <Card
      title={
        <>
          {name} {current ? <Link to={link(current.deployment)}>{current.release}</Link> : t('board.nothing')}
        </>
      }
      aside={
        current && (
          <span className="muted small">
            <Ago at={current.since} />
            {environment.url && (
              <>
                {' · '}
                <a href={environment.url}>{environment.url}</a>
              </>
            )}
          </span>
        )
      }
    >
      {lock && (
        <Status name="running">
          <Link to={link(lock.deployment)}>{t('environment.deploying', { number: lock.deployment })}</Link>
        </Status>
      )}
      {drift.length > 0 && <Status name="drift">{t('drift.services', { names: drift.join(', ') })}</Status>}
      {hold && (
        <p className={css.hold}>
          {t('environment.hold', { by: hold.by ?? 'Slipway' })} {hold.reason}
        </p>
      )}
      {current && <Services services={seenOf(stack, current.services)} expected={current.services} />}
      {current && (
        <div>
          <Button onClick={onRollBack} why={lacking ?? none}>
            {t('environment.rollBack')}
          </Button>
        </div>
      )}
    </Card>
  );
}

/** What was seen last: at the deployment, or at an inspection after it. */
const seenOf = ({ observed, current }: Stack, deployed: ObservedService[]): ObservedService[] =>
  observed && current && observed.at > current.since ? observed.services : deployed;
