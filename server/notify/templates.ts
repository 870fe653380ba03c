/**
 * The mail templates, compiled from `templates/*.hbs`. `npm run build` writes a module with the same export over this
 * one: the templates precompiled, on Handlebars' runtime alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import Handlebars from 'handlebars';

const folder = new URL('./templates/', import.meta.url);
const handlebars = Handlebars.create();
const compiled: Record<string, (context: object) => string> = {};

for (const file of readdirSync(folder)) {
  const name = file.replace(/\.hbs$/, '');
  const template = handlebars.compile(readFileSync(new URL(file, folder), 'utf8'), { strict: true });
  handlebars.registerPartial(name, template);
  compiled[name] = template;
}

/** Renders a template; values are escaped, and reading one that the context does not have is an error. */
export function render(name: string, context: object): string {
  const template = compiled[name];
  if (!template) throw new Error(`there is no mail template ${name}`);
  return template(context);
}
