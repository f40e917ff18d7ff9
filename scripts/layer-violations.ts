import { createRequire } from 'node:module';
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';

/** What `.dependency-cruiser.cjs` exports. */
interface LayerRules {
  readonly forbidden: IForbiddenRuleType[];
  readonly options: ICruiseOptions;
}

export interface LayerReport {
  /** Paths of the modules that were looked at. */
  readonly seen: ReadonlySet<string>;
  /** One sentence for each import that breaks a rule. */
  readonly violations: readonly string[];
}

/**
 * Follows the imports of everything in `folders` of the working directory and holds them against the rules in
 * `.dependency-cruiser.cjs` of this repository.
 */
export async function layerViolations(folders: readonly string[]): Promise<LayerReport> {
  const rules = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as LayerRules;
  const { output } = await cruise([...folders], {
    ...rules.options,
    validate: true,
    ruleSet: { forbidden: rules.forbidden },
  });
  const { modules, summary } = output as ICruiseResult;
  const comments = new Map(rules.forbidden.map((rule) => [rule.name, rule.comment]));
  return {
    seen: new Set(modules.filter((module) => module.followable !== false).map((module) => module.source)),
    violations: summary.violations.map(({ from, to, rule, cycle }) => {
      const path = cycle === undefined ? to : cycle.map((step) => step.name).join(' → ');
      return `${from} → ${path}: ${comments.get(rule.name) ?? ''} (${rule.name})`;
    }),
  };
}
