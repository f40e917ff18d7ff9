import { Buffer } from 'node:buffer';
import { parseSync } from '@swc/core';
import { ambientCrypto, ambientGlobals, ambientMembers, ambientModules } from './ambient-rules.js';

/** A place where code reaches around the ports. */
export interface AmbientUse {
  /** Line of the source, from 1. */
  readonly line: number;
  /** As a person would name it: `Date.now`, `import node:fs`. */
  readonly what: string;
}

/** A node of the syntax tree, of which only this much is known. */
type SyntaxNode = Readonly<Record<string, unknown>> & { readonly type: string };

/**
 * Finds the ambient uses in a TypeScript source: in its syntax tree, so that comments, strings, types and members of
 * other objects (`timers.setTimeout`) do not count.
 */
export function ambientUses(source: string): AmbientUse[] {
  // swc counts positions in bytes from an origin that moves with every call. The `;` makes the origin known.
  const program = parseSync(`;${source}`, { syntax: 'typescript', target: 'es2022' });
  const origin = startOf(program.body[0]) + 1;
  const bytes = Buffer.from(source);
  const uses: AmbientUse[] = [];
  visit(program, (node, what) => {
    const before = bytes.subarray(0, Math.max(0, startOf(node) - origin));
    uses.push({ line: before.toString().split('\n').length, what });
  });
  return uses;
}

function visit(value: unknown, report: (node: SyntaxNode, what: string) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, report);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const node = value as SyntaxNode;
  if (isType(node)) return;
  for (const what of usesAt(node)) report(node, what);
  for (const [field, child] of Object.entries(node)) {
    if (!isName(node, field)) visit(child, report);
  }
}

/** The uses that this very node makes. */
function usesAt(node: SyntaxNode): string[] {
  switch (node.type) {
    case 'Identifier': {
      const name = text(node, 'value');
      return ambientGlobals.has(name) ? [name] : [];
    }
    case 'MemberExpression': {
      const object = text(node.object, 'value');
      const property = text(node.property, 'value') || text(field(node.property, 'expression'), 'value');
      return ambientMembers.get(object)?.has(property) ? [`${object}.${property}`] : [];
    }
    case 'VariableDeclarator': {
      const members = ambientMembers.get(text(node.init, 'value'));
      return namesOf(field(node.id, 'properties'), 'key')
        .filter((name) => members?.has(name))
        .map((name) => `${text(node.init, 'value')}.${name}`);
    }
    case 'NewExpression':
    case 'CallExpression':
      return [...clockCall(node), ...dynamicImport(node)];
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return node.typeOnly === true ? [] : importOf(node);
    default:
      return [];
  }
}

/** `new Date()` and `Date()` read the clock; `new Date(milliseconds)` does not. */
function clockCall(node: SyntaxNode): string[] {
  if (text(node.callee, 'value') !== 'Date') return [];
  if (node.type === 'CallExpression') return ['Date()'];
  return Array.isArray(node.arguments) && node.arguments.length > 0 ? [] : ['new Date()'];
}

function dynamicImport(node: SyntaxNode): string[] {
  const callee = field(node.callee, 'type') === 'Import' ? 'import' : text(node.callee, 'value');
  if (callee !== 'import' && callee !== 'require') return [];
  const first = Array.isArray(node.arguments) ? field(node.arguments[0], 'expression') : undefined;
  const module = moduleName(text(first, 'value'));
  return isAmbient(module) || module === 'crypto' ? [`${callee} ${text(first, 'value')}`] : [];
}

function importOf(node: SyntaxNode): string[] {
  const source = text(node.source, 'value');
  const module = moduleName(source);
  if (isAmbient(module)) return [`import ${source}`];
  if (module !== 'crypto') return [];
  if (node.type === 'ExportAllDeclaration') return [`import * from ${source}`];
  return importedNames(node.specifiers)
    .filter((name) => ambientCrypto.has(name))
    .map((name) => `import ${name} from ${source}`);
}

function importedNames(specifiers: unknown): string[] {
  if (!Array.isArray(specifiers)) return [];
  return specifiers.map((specifier) => {
    const type = field(specifier, 'type');
    if (type === 'ImportDefaultSpecifier') return 'default';
    if (type === 'ImportNamespaceSpecifier' || type === 'ExportNamespaceSpecifier') return '*';
    const original = field(specifier, 'imported') ?? field(specifier, 'orig') ?? field(specifier, 'local');
    return text(original, 'value');
  });
}

function moduleName(source: string): string {
  return source.startsWith('node:') ? source.slice('node:'.length) : source;
}

function isAmbient(module: string): boolean {
  return ambientModules.has(module.split('/')[0] ?? module);
}

/** Types name things without using them. Expressions that merely carry a type are searched. */
function isType(node: SyntaxNode): boolean {
  return typeof node.type === 'string' && node.type.startsWith('Ts') && !carriers.has(node.type);
}

const carriers: ReadonlySet<string> = new Set([
  'TsAsExpression',
  'TsConstAssertion',
  'TsInstantiation',
  'TsNonNullExpression',
  'TsSatisfiesExpression',
  'TsTypeAssertion',
]);

/** Whether the child is the name of a member, not a use of that name. */
function isName(node: SyntaxNode, name: string): boolean {
  if (name === 'property') return node.type === 'MemberExpression' && field(node.property, 'type') === 'Identifier';
  if (name === 'key') return field(node.key, 'type') === 'Identifier';
  return false;
}

function namesOf(list: unknown, name: string): string[] {
  return Array.isArray(list) ? list.map((item) => text(field(item, name), 'value')) : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}

function startOf(value: unknown): number {
  const start = field(field(value, 'span'), 'start');
  return typeof start === 'number' ? start : 0;
}
