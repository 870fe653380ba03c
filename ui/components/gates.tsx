/** Gates of a deployment, each with its sentence. The sentences are the server's. */
import type { Gate } from '../api/types.ts';
import css from './gates.module.css';
import { StatusIcon, type StatusName } from './status.tsx';

export function Gates({ gates }: { gates: Gate[] }) {
  return (
    <ul className={css.gates}>
      {gates.map((gate) => (
        <li key={gate.gate}>
          <StatusIcon name={statusOf(gate)} />
          <span>{gate.message}</span>
        </li>
      ))}
    </ul>
  );
}

function statusOf({ gate, open, waits }: Gate): StatusName {
  if (open) return 'passed';
  if (gate === 'approvals') return 'approval';
  return waits ? 'blocked' : 'failed';
}
