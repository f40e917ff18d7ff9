import test from 'ava';
import fc from 'fast-check';
import { NewestIndex } from '../../src/cli/backup/newest-index.js';
import type { DescribedRecord } from '../../src/storage/log-inspect.js';

test('passes over any records find the newest version of every key exactly once, whatever the memory', (t) => {
  const record = fc.record({
    key: fc.nat(400),
    counter: fc.integer({ min: 1, max: 50 }),
    node: fc.integer({ min: 1, max: 3 }),
    deleted: fc.boolean(),
    file: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 1500 }), fc.integer({ min: 200, max: 40_000 }), (records, bytesMax) => {
      const model = new Map<string, { order: number; deleted: boolean; place: string }>();
      const described = records.map(({ key, counter, node, deleted, file }, offset) => {
        const name = `k${key}`.padEnd(1 + (key % 60), '.');
        const order = counter * 10 + node;
        const held = model.get(name);
        if (held === undefined || order > held.order) model.set(name, { order, deleted, place: `${file}:${offset}` });
        const kind: DescribedRecord['kind'] = deleted ? 'tombstone' : 'value';
        const fields = { offset, bytes: 0, lsn: 0, counter, node, value: new Uint8Array() };
        return { file, record: { ...fields, kind, key: Buffer.from(name) } };
      });
      const found: string[] = [];
      let deleted = 0;
      for (let low = 0; low < 2 ** 32; ) {
        const index = new NewestIndex(low, bytesMax);
        for (const { file, record: one } of described) index.add(one, file);
        const values = index.values();
        found.push(...values.map(({ file, offset }) => `${file}:${offset}`));
        deleted += index.deleted;
        t.is(index.count, values.length + index.deleted);
        t.deepEqual(
          values,
          [...values].sort((left, right) => left.file - right.file || left.offset - right.offset),
        );
        low = index.high;
      }
      const newest = [...model.values()];
      t.deepEqual(found.sort(), newest.flatMap((one) => (one.deleted ? [] : [one.place])).sort());
      t.is(deleted, newest.filter((one) => one.deleted).length);
    }),
    { numRuns: 200 },
  );
});
