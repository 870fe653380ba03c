/** What is being made of a Jenkins job, before it is written down as a pipeline file. */
import type { Note } from './notes.ts';

export type Item = { kind: 'command'; script: string; image: string | null } | { kind: 'note'; note: Note };

export interface ImageBuild {
  image: string;
  context?: string;
  dockerfile?: string;
  target?: string;
  args: Map<string, string>;
}

/** One step of the pipeline file: a stage, or a builder of a freestyle job. */
export interface Step {
  /** As Jenkins shows it; the name of the step is made of it. */
  title: string;
  line: number | null;
  /** Comments before its keys. */
  above: Note[];
  items: Item[];
  /** Null: to be chosen by what the commands call. */
  image: string | null;
  /** What `tools` says: `jdk` → `jdk_17_latest`. */
  tools: Map<string, string>;
  env: Map<string, string>;
  secrets: Set<string>;
  cache: Set<string>;
  artifacts: Set<string>;
  junit: Set<string>;
  when: { branch: string[]; paths: string[]; trigger: string[] };
  matrix: Map<string, string[]>;
  timeout: string | null;
  retry: number;
  allowFailure: boolean;
  build: ImageBuild | null;
}

export type Node =
  | { kind: 'step'; step: Step }
  | { kind: 'sequence'; nodes: Node[] }
  | { kind: 'parallel'; nodes: Node[] };

export interface Parameter {
  type: 'string' | 'boolean' | 'choice';
  options: string[];
  default: string;
  description: string;
}

/** A credential of Jenkins that commands get under `name`. `step` is null where the whole pipeline gets it. */
export interface Credential {
  name: string;
  /** What says so. */
  text: string;
  line: number | null;
  step: Step | null;
}

export type Section = 'top' | 'on' | 'env' | 'parameters' | 'steps' | 'notify';

export interface Draft {
  /** What is read: `Jenkinsfile` or `config.xml`. */
  origin: string;
  /** Comments at the top: where the source has to be set, and what is to be known. */
  head: string[];
  /** Comments before each section. */
  notes: Record<Section, Note[]>;
  poll: { cron: string; comment: string } | null;
  schedule: { cron: string; comment: string; timezone: string | null } | null;
  push: boolean;
  env: Map<string, string>;
  timeout: string | null;
  supersede: boolean;
  parameters: Map<string, Parameter>;
  sources: Map<string, { kind: 'git' | 'svn'; url: string; branch?: string; path: string }>;
  nodes: Node[];
  credentials: Credential[];
  /** For steps that belong to the end of the job, such as those of `post { success { } }`. */
  after: Node[];
  mail: { to: Set<string>; on: Set<string> };
  /** `junit` and `archiveArtifacts` of the whole job. */
  junit: Set<string>;
  artifacts: Set<string>;
  /** Texts of the job that H of a cron expression is derived from. */
  seed: string;
}

export const newDraft = (origin: string, seed: string): Draft => ({
  origin,
  head: [],
  notes: { top: [], on: [], env: [], parameters: [], steps: [], notify: [] },
  poll: null,
  schedule: null,
  push: false,
  env: new Map(),
  timeout: null,
  supersede: false,
  parameters: new Map(),
  sources: new Map(),
  nodes: [],
  credentials: [],
  after: [],
  mail: { to: new Set(), on: new Set() },
  junit: new Set(),
  artifacts: new Set(),
  seed,
});

export const newStep = (title: string, line: number | null): Step => ({
  title,
  line,
  above: [],
  items: [],
  image: null,
  tools: new Map(),
  env: new Map(),
  secrets: new Set(),
  cache: new Set(),
  artifacts: new Set(),
  junit: new Set(),
  when: { branch: [], paths: [], trigger: [] },
  matrix: new Map(),
  timeout: null,
  retry: 0,
  allowFailure: false,
  build: null,
});

export const isCommand = (item: Item): item is Extract<Item, { kind: 'command' }> => item.kind === 'command';

/** All scripts of a step, as one text to look for names in. */
export const scriptsOf = (step: Step): string =>
  step.items
    .filter(isCommand)
    .map(({ script }) => script)
    .join('\n');

export function stepsOf(nodes: readonly Node[]): Step[] {
  return nodes.flatMap((node) => (node.kind === 'step' ? [node.step] : stepsOf(node.nodes)));
}
