import { Link, useRouteError } from 'react-router';
import { Page } from '../components/page.tsx';
import { Problem } from '../components/problem.tsx';
import { useText } from '../i18n/text.tsx';

export function MissingPage() {
  const t = useText();
  return (
    <Page title={t('missing.title')}>
      <p>
        {t('missing.text')} <Link to="/">{t('nav.home')}</Link>
      </p>
    </Page>
  );
}

/** A page broke, or its code could not be loaded: after an update of the server the old files are gone. */
export function BrokenPage() {
  const error = useRouteError();
  return <Problem error={error} retry={() => location.reload()} />;
}
