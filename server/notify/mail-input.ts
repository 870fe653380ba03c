/** What a mail is made of: plain data, gathered by the server when the mail is sent. One type per kind of mail. */
import type { Change, Gate, Result, StepResult } from '../../pipelines/model.ts';

interface MailBase {
  /** Base of every link; also names the host in message ids. */
  publicUrl: string;
  project: string;
  /** A sentence: why the reader gets this. */
  why: string;
}

export interface FailingTest {
  suite: string;
  name: string;
  message: string | null;
  /** It did not fail in the run before. */
  isNew: boolean;
}

/** The tail of a step's log, masked already. */
export interface LogExcerpt {
  step: string;
  text: string;
}

/** What went wrong, as far as is known. */
interface Failure {
  result: Result;
  /** One sentence. */
  reason: string | null;
  failingStep: string | null;
  failingTests: FailingTest[];
  log: LogExcerpt | null;
}

interface BuildBase extends MailBase {
  pipeline: string;
  number: number;
  branch: string;
  revision: string;
  changes: Change[];
  steps: { name: string; result: StepResult | null }[];
  images: { name: string; digest: string }[];
  /** Version of the release it made. */
  release: string | null;
  /** Milliseconds. */
  duration: number | null;
  /** Of the last passed builds of this branch, in milliseconds. */
  medianDuration: number | null;
}

export interface FailedMail extends BuildBase, Failure {
  kind: 'failed';
  /** The first build of this broken streak; its own number when it is the first. */
  since: number;
}
export interface FixedMail extends BuildBase {
  kind: 'fixed';
  /** The first build of the broken streak that this one ended. */
  since: number;
}
export interface PassedMail extends BuildBase {
  kind: 'passed';
}

interface DeploymentBase extends MailBase {
  environment: string;
  /** Where the deployed system answers. */
  environmentUrl: string | null;
  stack: string;
  release: string;
  /** Of the deployment, within the environment. */
  number: number;
  /** Release that ran before. */
  before: string | null;
  /** A username, or null for Slipway itself. */
  requestedBy: string | null;
  note: string | null;
  /** Of all releases between `before` and `release`. */
  changes: Change[];
  images: { name: string; digest: string; beforeDigest: string | null }[];
  /** Milliseconds. */
  duration: number | null;
}

export interface DeployedMail extends DeploymentBase {
  kind: 'deployed';
  /** Of its verify steps. */
  tests: { total: number; passed: number } | null;
}
export interface DeployFailedMail extends DeploymentBase, Failure {
  kind: 'deploy-failed';
  /** Whether the previous release is back; null where nothing had to be put back. */
  restored: boolean | null;
}
export interface RolledBackMail extends DeploymentBase {
  kind: 'rolled-back';
  reason: string | null;
}
export interface ApprovalMail extends DeploymentBase {
  kind: 'approval';
  gates: Gate[];
  approvals: { given: number; needed: number };
}

export type BuildMail = FailedMail | FixedMail | PassedMail;
export type DeploymentMail = DeployedMail | DeployFailedMail | RolledBackMail | ApprovalMail;
export type MailInput = BuildMail | DeploymentMail;
export type MailKind = MailInput['kind'];
