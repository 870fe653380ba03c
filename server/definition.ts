/** The pipeline file of a revision, or what is wrong with it. */
import { AppError } from '../pipelines/errors.ts';
import { parsePipeline } from '../pipelines/parse.ts';
import type { PipelineFile } from '../pipelines/schema.ts';
import type { LintError } from '../pipelines/yaml.ts';

export type Definition = { ok: true; file: PipelineFile } | { ok: false; reason: string; errors: LintError[] };

/** `text` is null where the revision has no such file. */
export function readDefinition(text: string | null, path: string): Definition {
  if (text === null) {
    const reason = `there is no ${path} at this revision: add one, or give the pipeline a definition of its own`;
    return { ok: false, reason, errors: [] };
  }
  const parsed = parsePipeline(text);
  if (parsed.ok) return { ok: true, file: parsed.file };
  const [first] = parsed.errors;
  const more = parsed.errors.length > 1 ? ` (and ${parsed.errors.length - 1} more)` : '';
  const reason = first ? `${path}:${first.line}:${first.column}: ${first.message}${more}` : `${path} cannot be read`;
  return { ok: false, reason, errors: parsed.errors };
}

/** The file, or the error a person who asked for a build gets. */
export function definitionOrThrow(definition: Definition): PipelineFile {
  if (definition.ok) return definition.file;
  throw new AppError('invalid', definition.reason, { field: 'definition', extra: { errors: definition.errors } });
}
