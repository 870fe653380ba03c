/** Which image a step probably needs, by what its commands call. Jenkins' agents have everything; a container has one thing. */
import { isCommand, type Step, scriptsOf } from './draft.ts';

export interface Choice {
  image: string;
  /** Why; '' where the job named the image itself. */
  why: string;
}

export const UNKNOWN: Choice = {
  image: 'debian:bookworm',
  why: 'choose the image: the job does not say what it needs',
};

const MATRIX = /\$\{matrix\.\w+\}/;

/** `JDK 1.8 (latest)` → `8`, `jdk_17_latest` → `17`; a matrix stays one. */
export function javaOf(text: string): string | null {
  const matrix = MATRIX.exec(text);
  if (matrix) return matrix[0];
  const [, old, version] = /1\.([5-8])(?!\d)|(?<![\d.])([6-9]|[12]\d)(?!\d)/.exec(text) ?? [];
  const number = Number(old ?? version ?? Number.NaN);
  if (Number.isNaN(number)) return null;
  // There are no images of Java before 8.
  return String(Math.max(8, number));
}

const firstNumber = (text: string): string | null => MATRIX.exec(text)?.[0] ?? /\d+/.exec(text)?.[0] ?? null;

const COMMAND =
  '(?:^|[\\n;&|({]|\\b(?:then|else|do|sudo|exec|time|xvfb-run(?: -a)?) )[ \\t]*(?:\\w+=[^\\s"]* |\\w+="[^"]*" )*';
const calls = (script: string, programs: string): boolean =>
  new RegExp(`${COMMAND}(?:${programs})(?=\\s|$)`).test(script);

interface Kind {
  programs: string;
  tool?: string;
  image(step: Step): string;
}

const java = (step: Step): string => javaOf(step.tools.get('jdk') ?? '') ?? '17';
/** In this order: who builds with Maven may well call node in between. */
const KINDS: Kind[] = [
  {
    programs: 'mvn|\\S{0,99}/mvn|\\S{0,99}mvnw',
    tool: 'maven',
    image: (step) => `maven:3.9-eclipse-temurin-${java(step)}`,
  },
  { programs: 'gradle|\\S{0,99}/gradle', tool: 'gradle', image: (step) => `gradle:8-jdk${java(step)}` },
  { programs: '\\S{0,99}gradlew|java|javac|jar', tool: 'jdk', image: (step) => `eclipse-temurin:${java(step)}` },
  {
    programs: 'npm|npx|node|yarn|pnpm|corepack',
    tool: 'nodejs',
    image: (step) => `node:${firstNumber(step.tools.get('nodejs') ?? '') ?? '20'}-slim`,
  },
  { programs: 'go|gofmt|golangci-lint', tool: 'go', image: (step) => `golang:${goOf(step.tools.get('go') ?? '')}` },
  { programs: 'python3?|pip3?|pytest|tox|poetry|pipenv', image: () => 'python:3.12' },
  { programs: 'dotnet', tool: 'dotnetsdk', image: () => 'mcr.microsoft.com/dotnet/sdk:8.0' },
  { programs: 'cargo|rustc', image: () => 'rust:1' },
  { programs: 'composer|php|phpunit', image: () => 'composer:2' },
  { programs: 'bundle|gem|rake|ruby', image: () => 'ruby:3.3' },
  { programs: 'terraform', tool: 'terraform', image: () => 'hashicorp/terraform:1.9' },
  { programs: 'kubectl', image: () => 'alpine/k8s:1.31.0' },
  { programs: 'helm', image: () => 'alpine/helm:3' },
  { programs: 'aws', image: () => 'amazon/aws-cli:2.17.0' },
  { programs: 'make|cmake|gcc|g\\+\\+', image: () => 'gcc:13' },
  { programs: 'docker|docker-compose', image: () => 'docker:27-cli' },
  { programs: 'git|svn|curl|wget|ssh|scp|rsync', image: () => 'buildpack-deps:bookworm-scm' },
];

const nameOf = ({ programs, tool }: Kind): string => {
  if (tool === 'jdk') return 'java';
  if (programs.startsWith('git|')) return 'git and the like';
  return tool ?? (programs.split('|')[0] as string).replace(/\W/g, '');
};

const goOf = (text: string): string => /\d+\.\d+/.exec(text)?.[0] ?? '1';

/** Null where the commands do not tell. */
export function chooseImage(step: Step): Choice | null {
  if (step.image !== null) return { image: step.image, why: '' };
  const script = scriptsOf(step);
  const kinds = KINDS.filter(({ programs }) => calls(script, programs));
  // One program says less than the tools of the stage: a test script may call anything.
  const kind = kinds[0] ?? null;
  if (kind === null) return null;
  const names = kinds.map(nameOf);
  // What every image of a Java tool has.
  const more = names.slice(1).filter((name) => name !== 'java' && name !== 'git and the like');
  const others = more.length > 0 ? `, but it calls ${more.join(' and ')}, too` : '';
  return { image: kind.image(step), why: `chosen for ${names[0]}${others}: check it` };
}

/** By the tools alone: for steps that only call scripts of the repository. */
export function chooseByTools(step: Step): Choice | null {
  const kind = KINDS.find(({ tool }) => tool !== undefined && step.tools.has(tool));
  return kind ? { image: kind.image(step), why: `chosen for the tool ${kind.tool}: check it` } : null;
}

export const needsNothing = (step: Step): boolean =>
  step.items
    .filter(isCommand)
    .every(({ script }) => /^(echo|sleep|true|exit|printenv|env|ls|pwd|mkdir|rm|cat)\b[^;&|\n]*$/.test(script));
