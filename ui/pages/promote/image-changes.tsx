import type { Diff } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { Digest } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './promote.module.css';

type Image = Diff['images'][number];

export function ImageChanges({ images }: { images: Image[] }) {
  const t = useText();
  return (
    <Card title={t('promote.images')}>
      <table className={css.images}>
        <thead className="visually-hidden">
          <tr>
            <th scope="col">{t('promote.image')}</th>
            <th scope="col">{t('promote.digests')}</th>
            <th scope="col">{t('promote.change')}</th>
          </tr>
        </thead>
        <tbody>
          {images.map((image) => (
            <tr key={image.name}>
              <th scope="row">{image.name}</th>
              <td>
                {image.from !== null && image.from !== image.to && (
                  <>
                    <Digest of={image.from} /> →{' '}
                  </>
                )}
                {image.to !== null && <Digest of={image.to} />}
              </td>
              <td className={css[kindOf(image)]}>{t(`promote.${kindOf(image)}`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function kindOf({ from, to }: Image): 'unchanged' | 'added' | 'removed' | 'changed' {
  if (from === to) return 'unchanged';
  if (from === null) return 'added';
  return to === null ? 'removed' : 'changed';
}
