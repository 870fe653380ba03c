/** What is given for the parameters of a build. Values are texts, as the API takes them. */
import type { Parameter } from '../../api/types.ts';

/** What was given, by name; what was not touched is not in it. */
export type Values = Record<string, string>;

/** A box that is not ticked says no. */
const startOf = ({ type, default: value }: Parameter): string => value ?? (type === 'boolean' ? 'false' : '');
export const givenOf = (parameter: Parameter, values: Values): string =>
  (Object.hasOwn(values, parameter.name) ? values[parameter.name] : undefined) ?? startOf(parameter);

/** Names of those that must be given and are not. */
export const missing = (parameters: readonly Parameter[], values: Values): string[] =>
  parameters.filter((each) => each.default === null && givenOf(each, values) === '').map(({ name }) => name);

/** A default that is kept is left to the file: it may be another one by the time the file is read. */
export const valuesToSend = (parameters: readonly Parameter[], values: Values): Values =>
  Object.fromEntries(
    parameters
      .filter((each) => each.default === null || givenOf(each, values) !== each.default)
      .map((each) => [each.name, givenOf(each, values)]),
  );
