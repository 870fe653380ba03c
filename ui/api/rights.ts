/** What I may do, as the server will judge it: so that a button can say beforehand why it is closed. */
import { useQuery } from '@tanstack/react-query';
import { useText } from '../i18n/text.tsx';
import { me } from './queries.ts';
import type { ApprovalRule, Deployment, Me, Role } from './types.ts';

const RANK: Record<Role, number> = { viewer: 0, developer: 1, 'release-manager': 2, admin: 3 };

/** Inside the shell somebody is signed in. */
export function useMe(): Me {
  const { data } = useQuery(me);
  if (!data) throw new Error('useMe is used where nobody is signed in');
  return data;
}

export const useRole = (project: string): Role | null =>
  useMe().projects.find(({ slug }) => slug === project)?.role ?? null;

/** Why I may not do what needs this role; null where I may. */
export function useLacking(project: string, needed: Role): string | null {
  const t = useText();
  const role = useRole(project);
  return role !== null && RANK[role] >= RANK[needed] ? null : t('why.role', { role: needed });
}

/** Why I cannot approve this; null where I can. */
export function useApprovalRefusal(run: Deployment, rule: ApprovalRule | null): string | null {
  const t = useText();
  const user = useMe();
  const role = useRole(run.project);
  const lacking = useLacking(run.project, 'release-manager');
  if (lacking) return lacking;
  if (rule && !rule.allowRequester && run.requestedBy === user.name) return t('why.ownRequest');
  if (run.approvals.some(({ by, decision }) => by === user.name && decision === 'approved')) return t('why.approved');
  if (!rule || (!rule.users && !rule.roles) || rule.users?.includes(user.name)) return null;
  const byRole = rule.roles && (user.admin || (role && rule.roles.includes(role)));
  return byRole ? null : t('why.approvers', { who: [...(rule.users ?? []), ...(rule.roles ?? [])].join(', ') });
}
