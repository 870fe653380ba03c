import { useQuery } from '@tanstack/react-query';
import { api, get } from '../../api/client.ts';
import type { Artifact, Build, List } from '../../api/types.ts';
import { Card, Loaded } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import { sizeInWords } from '../../log/units.ts';
import css from './build.module.css';
import { WORDS } from './words.ts';

export function ArtifactsTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  const { project, pipeline, number } = run;
  const url = api`/projects/${project}/pipelines/${pipeline}/builds/${number}/artifacts`;
  const query = useQuery({
    queryKey: ['artifacts', project, pipeline, number],
    queryFn: ({ signal }) => get<List<Artifact>>(url, signal),
  });
  return (
    <Loaded query={query}>
      {({ items }) =>
        items.length === 0 ? (
          <p className="muted">{t('artifacts.none')}</p>
        ) : (
          <Card>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t('artifacts.file')}</th>
                  <th scope="col">{t('artifacts.size')}</th>
                </tr>
              </thead>
              <tbody>
                {items.map(({ path, size }) => (
                  <tr key={path}>
                    <td>
                      <a href={`${url}/${path.split('/').map(encodeURIComponent).join('/')}`} download>
                        {path}
                      </a>
                    </td>
                    <td className={css.nowrap}>{sizeInWords(size)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Card>
        )
      }
    </Loaded>
  );
}
