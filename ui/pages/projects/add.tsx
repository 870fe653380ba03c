/** For whoever may add something; nobody else sees these buttons. */
import { useLacking, useMe } from '../../api/rights.ts';
import { Button } from '../../components/button.tsx';
import { useDialog } from '../../components/modal.tsx';
import { useText } from '../../i18n/text.tsx';
import { NewProject } from './first-steps.tsx';
import { NewPipeline } from './new-pipeline.tsx';

export function AddProject() {
  const t = useText();
  const { admin } = useMe();
  const [shown, open, close] = useDialog('new');
  if (!admin) return null;
  return (
    <>
      <Button onClick={() => open('project')}>{t('first.newProject')}</Button>
      {shown === 'project' && <NewProject onClose={close} />}
    </>
  );
}

export function AddPipeline({ project }: { project: string }) {
  const t = useText();
  const lacking = useLacking(project, 'admin');
  const [shown, open, close] = useDialog('pipeline');
  if (lacking !== null) return null;
  return (
    <>
      <Button onClick={() => open(project)}>{t('first.newPipeline')}</Button>
      {shown === project && <NewPipeline project={project} onClose={close} />}
    </>
  );
}
