import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import { startDev, stopDev } from './dev-process.js';
import { isAlive, startMemDb, temporaryDirectory } from './memdb-process.js';

/** Where Debian has it. */
const executablePath = '/usr/bin/chromium';
/** Waiting for the machine, not for the page. */
const SLOW_MS = 60_000;
/** Set it to a directory to keep what the test sees: `MEMDB_SCREENSHOTS=DIRECTORY npx ava dist/test/e2e/dashboard.test.js`. */
const screenshots = process.env.MEMDB_SCREENSHOTS;

const themes = ['light', 'dark'] as const;
const widths = [1440, 400] as const;

test.serial(
  'a person logs in, kills a node behind a confirmation that names it, and watches it come back',
  async (t) => {
    if (!existsSync(executablePath)) {
      t.log(`skipped: ${executablePath} is not installed`);
      t.pass();
      return;
    }
    const directory = temporaryDirectory(t);
    const dev = await startDev(t, directory);
    const { manager, adminUrl, nodes } = dev.cluster();
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    t.teardown(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(SLOW_MS);
    const problems: string[] = [];
    page.on('pageerror', ({ message }) => problems.push(message));
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(manager?.url ?? '') && !request.url().startsWith('data:'))
        foreign.push(request.url());
    });
    await page.goto(manager?.url ?? '');
    await page.getByLabel('Admin key').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Admin key').fill(adminUrl);
    // By keyboard alone.
    await page.keyboard.press('Enter');
    for (const number of [1, 2, 3]) await row(page, number, 'up').waitFor();
    await page.getByText('Healthy').waitFor();

    await storeAndExplain(page);
    const victim = nodes.find(({ number }) => number === 3);
    await page.getByRole('button', { name: 'Kill node 3' }).click();
    const dialog = page.getByRole('dialog', { name: 'Kill node 3?' });
    await dialog.getByText(victim?.address ?? '', { exact: false }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    t.true(isAlive(victim?.pid ?? 0), 'Escape kills nobody');
    await page.getByRole('button', { name: 'Kill node 3' }).click();
    await dialog.getByRole('button', { name: 'Kill node 3' }).click();
    await row(page, 3, 'dead').waitFor();
    await page.getByText('Degraded').first().waitFor();
    t.false(isAlive(victim?.pid ?? 0));
    await row(page, 1, 'up').waitFor();

    const place = nodes.findIndex(({ number }) => number === 3) + 1;
    const node = startMemDb(t, ['dev', 'start', String(place)], { directory });
    await node.printed(/serves again/);
    await row(page, 3, 'up').waitFor();
    await page.getByText('Healthy').waitFor();
    t.deepEqual(problems, []);
    t.deepEqual(foreign, [], 'nothing comes from outside');
    await fitsEverywhere(t.log, browser, manager?.url ?? '', adminUrl, (overflow) => t.true(overflow <= 0));
    t.is(await stopDev(dev), 0);
  },
);

/** The row of a node in a state. */
function row(page: Page, number: number, state: string): ReturnType<Page['locator']> {
  return page.locator(`tr[data-node="${number}"][data-state="${state}"]`);
}

async function storeAndExplain(page: Page): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill('user:1');
  await page.keyboard.press('Enter');
  await page.getByText('No replica that answered has ever held this key.').waitFor();
  await page.locator('#value').fill('Ada');
  await page.getByRole('button', { name: 'Store' }).click();
  await page.getByText('every replica that answered (3) holds it', { exact: false }).waitFor();
  await page.getByText('Value, 3 bytes').waitFor();
}

/** At a desk and on a phone, light and dark: nothing sticks out. */
async function fitsEverywhere(
  log: (text: string) => void,
  browser: Browser,
  url: string,
  adminUrl: string,
  check: (overflow: number) => void,
): Promise<void> {
  if (screenshots !== undefined) mkdirSync(screenshots, { recursive: true });
  for (const colorScheme of themes) {
    for (const width of widths) {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      page.setDefaultTimeout(SLOW_MS);
      await page.goto(url);
      await page.getByLabel('Admin key').fill(adminUrl);
      await page.keyboard.press('Enter');
      await row(page, 3, 'up').waitFor();
      await page.getByLabel('Key', { exact: true }).fill('user:1');
      await page.keyboard.press('Enter');
      await page.getByText('Value, 3 bytes').waitFor();
      check(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
      if (screenshots !== undefined) {
        const path = join(screenshots, `dashboard-${colorScheme}-${width}.png`);
        await page.evaluate('scrollTo(0, 0)');
        await page.screenshot({ path, fullPage: true });
        log(`kept ${path}`);
      }
      await page.close();
    }
  }
}
