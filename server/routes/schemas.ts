/** The shapes of the API. */
export * from './replies.ts';
export * from './requests.ts';
export { Before, EnvironmentName, Limit, listOf, Paging, Reason, Slug, UserName, VariableName } from './words.ts';
