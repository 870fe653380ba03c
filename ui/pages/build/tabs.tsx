import type { ReactNode } from 'react';
import { Link, useLocation, useSearchParams } from 'react-router';
import type { Build } from '../../api/types.ts';
import { useText } from '../../i18n/text.tsx';
import { ArtifactsTab } from './artifacts-tab.tsx';
import css from './build.module.css';
import { ChangesTab } from './changes-tab.tsx';
import { ConfigTab } from './config-tab.tsx';
import { ImagesTab } from './images-tab.tsx';
import { LogTab } from './log-tab.tsx';
import { TestsTab } from './tests-tab.tsx';
import { WORDS } from './words.ts';

const TABS = {
  log: LogTab,
  tests: TestsTab,
  changes: ChangesTab,
  images: ImagesTab,
  artifacts: ArtifactsTab,
  config: ConfigTab,
} satisfies Record<string, (props: { run: Build }) => ReactNode>;
type Tab = keyof typeof TABS;
const NAMES = Object.keys(TABS) as Tab[];

/** Which one is shown is in the address; a link to a line of a log shows the log. */
export function Tabs({ run }: { run: Build }) {
  const t = useText(WORDS);
  const [search] = useSearchParams();
  const { hash } = useLocation();
  const shown = hash === '' ? (NAMES.find((name) => name === search.get('tab')) ?? 'log') : 'log';
  const Content = TABS[shown];
  const counts: Partial<Record<Tab, number | string>> = {
    changes: run.moreChanges ? `${run.changes.length}+` : run.changes.length,
    images: run.images.length,
  };
  return (
    <section className={css.tabs}>
      <nav className={css.tabNames}>
        {NAMES.map((name) => (
          <Link
            key={name}
            to={{ search: name === 'log' ? '' : `?tab=${name}`, hash: '' }}
            replace
            preventScrollReset
            aria-current={name === shown ? 'page' : undefined}
          >
            {t(`tab.${name}`)}
            {counts[name] ? <span className="muted"> {counts[name]}</span> : null}
          </Link>
        ))}
      </nav>
      <Content run={run} />
    </section>
  );
}
