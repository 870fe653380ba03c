import type { Build } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { Digest } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';
import { sizeInWords } from '../../log/units.ts';
import css from './build.module.css';
import { WORDS } from './words.ts';

export function ImagesTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  if (run.images.length === 0)
    return <p className="muted">{t(run.status === 'finished' ? 'images.none' : 'images.notYet')}</p>;
  return (
    <Card>
      <div className={css.scroll}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('images.image')}</th>
              <th scope="col">{t('images.digest')}</th>
              <th scope="col">{t('images.tags')}</th>
              <th scope="col">{t('images.size')}</th>
            </tr>
          </thead>
          <tbody>
            {run.images.map((image) => (
              <tr key={`${image.name} ${image.service ?? ''}`}>
                <td title={image.reference}>{image.name}</td>
                <td>
                  <Digest of={image.digest} />
                </td>
                <td>{image.tags.join(', ')}</td>
                <td className={css.nowrap}>{sizeInWords(image.size)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
