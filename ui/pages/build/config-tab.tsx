import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { pipeline } from '../../api/queries.ts';
import type { Build } from '../../api/types.ts';
import { Branch } from '../../components/branch.tsx';
import { Card } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './build.module.css';
import { WORDS } from './words.ts';

export function ConfigTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  const { data } = useQuery(pipeline(run.project, run.pipeline));
  const parameters = Object.entries(run.parameters);
  return (
    <Card>
      <dl className={css.config}>
        <Fact name={t('config.branch')}>
          <Branch of={run.branch} />
        </Fact>
        <Fact name={t('config.revision')}>
          <code>{run.revision}</code>
        </Fact>
        <Fact name={t('config.version')}>{run.version}</Fact>
        {run.release && <Fact name={t('config.release')}>{run.release}</Fact>}
        {run.runner && <Fact name={t('config.runner')}>{run.runner}</Fact>}
        <Fact name={t('config.attempt')}>{run.attempt}</Fact>
        <Fact name={t('config.parameters')}>
          {parameters.length === 0 ? (
            <span className="muted">{t('config.noParameters')}</span>
          ) : (
            parameters.map(([name, value]) => (
              <p key={name}>
                <code>
                  {name}={value}
                </code>
              </p>
            ))
          )}
        </Fact>
        {data && (
          <Fact name={t('config.file')}>
            {data.definition === null ? t('config.inRepository', { file: data.file }) : <pre>{data.definition}</pre>}
          </Fact>
        )}
      </dl>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
