import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from 'react-router';
import { pipeline } from '../../api/queries.ts';
import { toBuild } from '../../components/paths.ts';
import { useText } from '../../i18n/text.tsx';
import { useKeys } from '../../log/use-keys.ts';
import css from './build.module.css';
import { WORDS } from './words.ts';

interface Props {
  project: string;
  pipeline: string;
  number: number;
}

/** The builds before and after, by link and by key. */
export function Neighbours({ project, pipeline: name, number }: Props) {
  const t = useText(WORDS);
  const navigate = useNavigate();
  const { data } = useQuery(pipeline(project, name));
  const newest = data?.lastBuild?.number ?? number;
  const to = (wanted: number) =>
    wanted >= 1 && wanted <= newest ? toBuild({ project, pipeline: name, number: wanted }) : null;
  const [previous, next] = [to(number - 1), to(number + 1)];
  useKeys({
    h: () => previous && void navigate(previous),
    l: () => next && void navigate(next),
  });
  return (
    <>
      <Neighbour to={previous} hint={t('head.previous')}>
        ← #{number - 1}
      </Neighbour>
      <Neighbour to={next} hint={t('head.next')}>
        #{number + 1} →
      </Neighbour>
    </>
  );
}

function Neighbour({ to, hint, children }: { to: string | null; hint: string; children: React.ReactNode }) {
  if (to === null) return null;
  return (
    <Link className={css.neighbour} to={to} title={hint}>
      {children}
    </Link>
  );
}
