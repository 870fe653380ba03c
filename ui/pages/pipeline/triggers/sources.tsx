import type { Watch } from '../../../api/types.ts';
import { Branch } from '../../../components/branch.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import { Section } from './section.tsx';
import css from './triggers.module.css';

/** Repositories that the pipeline file names beside its own. */
export function FurtherSources({ sources }: { sources: Watch['sources'] }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <Section title={t('sources.title')}>
      <ul className={css.list}>
        {sources.map(({ name, kind, url, branch }) => (
          <li key={name}>
            <strong>{name}</strong> <Branch of={branch} />
            <p className="muted small">
              {kind === 'git' ? 'Git' : 'SVN'} <code>{url}</code>
            </p>
          </li>
        ))}
      </ul>
    </Section>
  );
}
