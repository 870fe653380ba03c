import type { Pipeline, Watch } from '../../../api/types.ts';
import { Command } from '../../../components/empty.tsx';
import { Ago } from '../../../components/time.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import { Fact, Section } from './section.tsx';
import css from './triggers.module.css';

/** A hook that has come after it shows that they work again. */
export const hookWasMissed = ({ hook: { lastAt, missedAt } }: Watch): boolean =>
  missedAt !== null && (lastAt === null || Date.parse(missedAt) > Date.parse(lastAt));

interface HooksProps {
  project: string;
  pipeline: Pipeline;
  watch: Watch;
}

export function Hooks({ project, pipeline, watch }: HooksProps) {
  const t = useText(PIPELINE_WORDS);
  const { lastAt, missedAt } = watch.hook;
  return (
    <Section title={t('hook.title')}>
      {lastAt === null ? (
        <NoHook project={project} pipeline={pipeline} />
      ) : (
        <dl className={css.facts}>
          <Fact name={t('hook.last')}>
            <Ago at={lastAt} />
          </Fact>
          {missedAt && (
            <Fact name={t('hook.missedOnce')}>
              <Ago at={missedAt} />
            </Fact>
          )}
        </dl>
      )}
    </Section>
  );
}

function NoHook({ project, pipeline: { name, source, hasHookSecret } }: Omit<HooksProps, 'watch'>) {
  const t = useText(PIPELINE_WORDS);
  const svn = source.kind === 'svn';
  const place = `${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
  const url = `${location.origin}/hooks/${svn ? 'svn' : 'github'}/${place}`;
  const install = `slipway hook install${svn ? ' --kind svn' : ''} -p ${project} -w ${name} --url ${location.origin}`;
  return (
    <>
      <p>{t('hook.none')}</p>
      {!hasHookSecret && <p className={css.note}>{t('hook.noSecret')}</p>}
      {svn ? <p className="muted small">{t('hook.svn')}</p> : <Address url={url} />}
      <Command text={install} />
      {svn && (
        <p className="muted small">
          {t('hook.sendsTo')} <code>{url}</code>
        </p>
      )}
    </>
  );
}

function Address({ url }: { url: string }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <>
      <p className="muted small">{t('hook.url')}</p>
      <Command text={url} />
      <p className="muted small">{t('hook.script')}</p>
    </>
  );
}
