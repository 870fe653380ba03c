import type { ReactNode } from 'react';
import type { Deployment } from '../../api/types.ts';
import { Ago, Duration } from '../../components/time.tsx';
import { type TextKey, useLanguage, useText } from '../../i18n/text.tsx';
import css from './deployment.module.css';

export function Facts({ run }: { run: Deployment }) {
  const t = useText();
  const { language } = useLanguage();
  return (
    <dl className={css.facts}>
      <Fact name="fact.number">#{run.number}</Fact>
      <Fact name="fact.why">{t(`trigger.${run.trigger}`)}</Fact>
      <Fact name="fact.by">{run.requestedBy ?? 'Slipway'}</Fact>
      <Fact name="fact.asked">
        <Ago at={run.queuedAt} />
      </Fact>
      {run.at && run.status === 'waiting' && <Fact name="fact.at">{new Date(run.at).toLocaleString(language)}</Fact>}
      <Fact name="fact.took">
        <Duration from={run.startedAt} to={run.finishedAt} />
      </Fact>
      {run.note && <Fact name={run.trigger === 'rollback' ? 'fact.reason' : 'fact.note'}>{run.note}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: TextKey; children: ReactNode }) {
  const t = useText();
  return (
    <div>
      <dt>{t(name)}</dt>
      <dd>{children}</dd>
    </div>
  );
}
