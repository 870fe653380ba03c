import { useText } from '../i18n/text.tsx';
import { branchLabel } from './branch-label.ts';

/** As people name it; its whole name is a hover away. */
export function Branch({ of }: { of: string }) {
  const label = branchLabel(useText(), of);
  return <span {...(label === of ? {} : { title: of })}>{label}</span>;
}
