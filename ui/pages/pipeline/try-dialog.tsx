/** What the filters of the pipeline file would make of the newest revisions of a branch. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { trial } from '../../api/queries.ts';
import type { Pipeline, Trial } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Field, Form } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { Loaded } from '../../components/page.tsx';
import { Status } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { BranchPicker, useBranches } from './branch-picker.tsx';
import { ChangeText } from './change-text.tsx';
import css from './try-dialog.module.css';
import { PIPELINE_WORDS } from './words.ts';

interface TryDialogProps {
  project: string;
  pipeline: Pipeline;
  onClose: () => void;
}

export function TryDialog({ project, pipeline, onClose }: TryDialogProps) {
  const t = useText(PIPELINE_WORDS);
  const known = useBranches(project, pipeline);
  const [chosen, setBranch] = useState<string | null>(null);
  const [definition, setDefinition] = useState('');
  const branch = chosen ?? known.first;
  const query = useQuery({ ...trial(project, pipeline.name, branch, definition), enabled: branch !== '' });
  return (
    <Modal title={t('try.title')} onClose={onClose}>
      <p className="muted small">{t('try.about')}</p>
      <BranchPicker branches={known} value={branch} onPick={setBranch} />
      <OtherFile onTry={setDefinition} />
      <Loaded query={query}>{(found) => <Revisions found={found} />}</Loaded>
    </Modal>
  );
}

function OtherFile({ onTry }: { onTry: (definition: string) => void }) {
  const t = useText(PIPELINE_WORDS);
  const [text, setText] = useState('');
  return (
    <details>
      <summary>{t('try.other')}</summary>
      <Form onSubmit={() => onTry(text)}>
        <Field label={t('try.definition')} hint={t('try.definitionHint')}>
          <textarea
            className={css.file}
            rows={8}
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        <Button type="submit">{t('try.apply')}</Button>
      </Form>
    </details>
  );
}

function Revisions({ found: { items } }: { found: Trial }) {
  const t = useText(PIPELINE_WORDS);
  if (items.length === 0) return <p className="muted">{t('try.none')}</p>;
  const builds = items.filter((each) => each.builds).length;
  return (
    <>
      <p role="status">{t('try.count', { builds, count: items.length })}</p>
      <ul className={css.revisions}>
        {items.map(({ builds, reason, ...change }) => (
          <li key={change.revision}>
            <span className={css.change}>
              <ChangeText change={change} />
            </span>
            <Status name={builds ? 'passed' : 'skipped'}>{reason ?? t('try.builds')}</Status>
          </li>
        ))}
      </ul>
    </>
  );
}
