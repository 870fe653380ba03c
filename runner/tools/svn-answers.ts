/** What svn prints as XML. It may hold bytes that are no UTF-8 and control characters: nothing is refused for that. */
import { XMLParser } from 'fast-xml-parser';
import type { Svn } from './svn-command.ts';

/** An element: attributes as `@name`, text as `#text`, children by name. One without attributes and children is its text. */
export type Element = string | { [name: string]: Element | Element[] | undefined };

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  // Only the entities every XML has are resolved, in `textOf`; and however many there are.
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
});

export const parseXml = (xml: string): Element => parser.parse(xml) as Element;

export function children(element: Element | undefined, name: string): Element[] {
  if (element === undefined || typeof element === 'string') return [];
  const found = element[name];
  return found === undefined ? [] : Array.isArray(found) ? found : [found];
}

/** The text of an element; null where there is none. */
export function textOf(element: Element | undefined): string | null {
  const text = typeof element === 'object' ? (element['#text'] ?? '') : element;
  return typeof text === 'string' ? unescapeXml(text) : null;
}

export const attribute = (element: Element | undefined, name: string): string | null =>
  typeof element === 'object' && typeof element[`@${name}`] === 'string'
    ? unescapeXml(element[`@${name}`] as string)
    : null;

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const unescapeXml = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });

/** `svn info` of one URL. */
export interface Info {
  /** Where it is in that revision; encoded. */
  url: string;
  kind: string;
  /** The one asked for; of HEAD, the youngest of the repository. */
  revision: number;
  lastChanged: number;
  /** URL of the repository. */
  root: string;
  uuid: string;
}

/** What is at these URLs, each with its peg revision; in the order asked. Those that do not exist are left out. */
export async function lookAt(svn: Svn, urls: string[], revision?: string): Promise<Info[]> {
  return parseInfo(await svn.look(infoArgs(revision), urls));
}

/** What is at this URL. Throws `RemoteError` (`not-found`) where there is nothing. */
export async function infoOf(svn: Svn, url: string, revision?: string): Promise<Info> {
  const [info] = parseInfo(await svn.ask(infoArgs(revision), [url]));
  if (info === undefined) throw new Error(`svn info printed something unexpected of ${url}`);
  return info;
}

const infoArgs = (revision?: string) => [
  'info',
  '--xml',
  ...(revision === undefined ? [] : [`--revision=${revision}`]),
];

function parseInfo(xml: string): Info[] {
  const [document] = children(parseXml(xml), 'info');
  return children(document, 'entry').map((entry) => {
    const [repository] = children(entry, 'repository');
    const [commit] = children(entry, 'commit');
    return {
      url: textOf(children(entry, 'url')[0]) ?? '',
      kind: attribute(entry, 'kind') ?? '',
      revision: Number(attribute(entry, 'revision')),
      lastChanged: Number(attribute(commit, 'revision')),
      root: textOf(children(repository, 'root')[0]) ?? '',
      uuid: textOf(children(repository, 'uuid')[0]) ?? '',
    };
  });
}

export interface Listed {
  name: string;
  kind: string;
  lastChanged: number;
}

/** What is in these folders, in the order asked; of one that does not exist, nothing. */
export async function listFolders(svn: Svn, urls: string[]): Promise<Listed[][]> {
  const [document] = children(parseXml(await svn.look(['list', '--xml'], urls)), 'lists');
  const lists = children(document, 'list').map((list) =>
    children(list, 'entry').map((entry) => ({
      name: textOf(children(entry, 'name')[0]) ?? '',
      kind: attribute(entry, 'kind') ?? '',
      lastChanged: Number(attribute(children(entry, 'commit')[0], 'revision')),
    })),
  );
  return urls.map((_, index) => lists[index] ?? []);
}

/** The values of a property by URL, as `svn propget --xml` prints them. */
export function parseProperties(xml: string): Map<string, string> {
  const [document] = children(parseXml(xml), 'properties');
  const values = new Map<string, string>();
  for (const target of children(document, 'target')) {
    const [property] = children(target, 'property');
    const text = textOf(property) ?? '';
    const value = attribute(property, 'encoding') === 'base64' ? Buffer.from(text, 'base64').toString('utf8') : text;
    values.set(attribute(target, 'path') ?? '', value);
  }
  return values;
}
