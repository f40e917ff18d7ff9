/**
 * The import table of the architecture, as rules. `npm run check` runs them through scripts/check-layers.ts, which
 * also fails when a source was not seen: with TypeScript 7 installed dependency-cruiser finds no modules by its own
 * means and reports success, so the parser is named below.
 *
 * A folder may import what the table names for it, and what those may import in turn. Types count like values: a layer
 * that only names a type of a higher one still cannot be understood without it.
 */
const table = {
  protocol: [],
  ring: [],
  'src/ports': [],
  'src/model': ['protocol'],
  'src/storage': ['src/model', 'src/ports'],
  'src/membership': ['src/model', 'protocol', 'src/ports'],
  'src/consensus': ['src/model', 'protocol', 'src/ports'],
  'src/counters': ['src/model'],
  'src/topology': ['ring', 'src/storage', 'src/consensus', 'src/membership'],
  'src/replication': ['src/storage', 'src/topology', 'src/counters'],
  'src/server': ['protocol', 'src/replication', 'src/ports'],
  'src/platform': ['src/ports'],
  'src/config': ['src/model'],
  'clients/typescript': ['protocol'],
  clustermanager: ['protocol', 'clients/typescript'],
};

/** The ring is the business of topology alone, though others may import topology. */
const reserved = { ring: ['src/topology'] };

function closure(folder) {
  const found = new Set();
  const open = [...table[folder]];
  for (const next of open) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...table[next]);
  }
  return [...found].filter((name) => reserved[name] === undefined || reserved[name].includes(folder));
}

/** Everything of ours: what a folder may import is taken out of this. */
const ours = '^(src|protocol|ring|clients|clustermanager|test|bench|examples|scripts)/';

function layer(folder) {
  const allowed = closure(folder);
  return {
    name: `${folder.replace('/', '-')}-imports`,
    comment: `${folder}/ may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')} of ours`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: ours, pathNot: [folder, ...allowed].map((name) => `^${name}/`) },
  };
}

/** Packages from the registry, for the folders that promise to need few. */
function packages(folder, allowed) {
  return {
    name: `${folder.replace('/', '-')}-packages`,
    comment: `${folder}/ may use ${allowed.length === 0 ? 'no package' : allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: '(^|/)node_modules/', pathNot: allowed.map((name) => `(^|/)node_modules/${name}/`) },
  };
}

module.exports = {
  forbidden: [
    ...Object.keys(table).map(layer),
    {
      name: 'src-cli-imports',
      comment: 'the command line is a client, a process and a reader of log files, not a part of the node',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: {
        path: ours,
        pathNot: [
          '^src/(cli|config|platform|storage|model|ports)/',
          '^src/node[a-z-]*\\.ts$',
          '^protocol/',
          '^clients/',
          '^clustermanager/',
        ],
      },
    },
    {
      name: 'assembly-is-the-top',
      comment: 'only the process puts a node together: src/node*.ts and src/main.ts are imported by it alone',
      severity: 'error',
      from: {
        path: '^(src|protocol|ring|clients|clustermanager)/',
        pathNot: ['^src/cli/', '^src/main\\.ts$', '^src/node[a-z-]*\\.ts$'],
      },
      to: { path: ['^src/main\\.ts$', '^src/node[a-z-]*\\.ts$'] },
    },
    {
      name: 'not-from-the-shipped-code',
      comment: 'tests, benchmarks, examples and scripts use what is shipped, never the other way',
      severity: 'error',
      from: { path: '^(src|protocol|ring|clients|clustermanager)/' },
      to: { path: '^(test|bench|examples|scripts)/' },
    },
    {
      name: 'published-interfaces',
      comment: 'examples and benchmarks see what users see',
      severity: 'error',
      from: { path: '^(examples|bench)/' },
      to: { path: '^(src|test|scripts)/' },
    },
    packages('protocol', ['tweetnacl', '@types']),
    packages('ring', []),
    packages('clients/typescript', ['tweetnacl', '@types']),
    packages('src/(ports|model|storage|membership|consensus|counters|topology|replication|server)', ['@types']),
    {
      name: 'no-cycles',
      comment: 'modules that need each other while they load are one module cut in two; types may refer to each other',
      severity: 'error',
      from: { path: '(^|/)dist/' },
      to: { circular: true },
    },
    {
      name: 'everything-resolves',
      comment: 'an import that leads nowhere escapes every other rule',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: '(^|/)node_modules/' },
    exclude: { path: '\\.d\\.ts$' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default'] },
  },
};
