import { describe, expect, test } from 'vitest';
import { inventoryOf, macsOf, nameOfMachine } from '../../server/core/inventory.ts';
import { macAt } from '../fixtures/hosts.ts';
import { machine, nic, saidInventory } from '../fixtures/inventories.ts';

describe('what says nothing is null', () => {
  test.each([
    'To be filled by O.E.M.',
    'To Be Filled By O.E.M',
    'Default string',
    'None',
    'Not Specified',
    'System Serial Number',
    '0123456789',
    '00000000',
    'FFFFFFFF',
    'ffff-ffff',
    'xxxxxxxx',
    '........',
    ' ',
    '',
  ])('serial %j', (serial) => {
    const { system } = inventoryOf(machine([], serial));
    expect(system.serial).toBeNull();
  });
  test.each([
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '03000200-0400-0500-0006-000700080009',
    '00020003-0004-0005-0006-000700080009',
    'Not Settable',
    '4c4c4544',
  ])('UUID %j', (uuid) => {
    expect(inventoryOf(machine([], null, uuid)).system.uuid).toBeNull();
  });
  test.each(['ABC1234', '0000001', 'F0F0', 'NONE-7', '2UA0'])('serial %j says something', (serial) => {
    expect(inventoryOf(machine([], serial)).system.serial).toBe(serial);
  });
  test('UUIDs are kept in lower case', () => {
    const uuid = '4C4C4544-0041-4210-8043-B1C04F313233';
    expect(inventoryOf(machine([], null, uuid)).system.uuid).toBe(uuid.toLowerCase());
  });
});

test('texts lose what a terminal or a page would obey', () => {
  const said = saidInventory({ cpu: { model: ' Xeon\u001b[31m\u202e \n E5\ud800 ', count: 1 } });
  expect(inventoryOf(said).cpu.model).toBe('Xeon [31m E5');
});

test('every text of it', () => {
  const bad = '\u001b[2J\u0007\u202e\ud800';
  const { disks, nics, ...said } = saidInventory();
  const maker = { vendor: bad, product: bad, serial: bad };
  const facts = inventoryOf({
    ...said,
    architecture: bad,
    system: { ...maker, uuid: bad },
    board: maker,
    cpu: { model: bad, count: 1 },
    disks: disks.map((disk) => ({ ...disk, model: bad, serial: bad, wwn: bad })),
    nics: nics.map((card) => ({ ...card, name: bad, driver: bad })),
    bmc: { source: 'ipmi', address: bad },
  });
  expect(JSON.stringify(facts)).not.toMatch(/\\u|\p{Cc}|\p{Cf}/u);
});

test('MACs that no card can own are null; those on USB tell no machine from another', () => {
  const nics = [
    nic('ff:ff:ff:ff:ff:ff'),
    nic('52-54-00-00-00-02'),
    nic('52:54:00:00:00:03', 'usb'),
    nic('52:54:00:00:00:02'),
    nic('nonsense'),
  ];
  const facts = inventoryOf(saidInventory({ nics }));
  expect(facts.nics.map(({ mac }) => mac)).toEqual([null, macAt(2), macAt(3), macAt(2), null]);
  expect(macsOf(macAt(1), facts)).toEqual([macAt(1), macAt(2)]);
  expect(macsOf(macAt(3), facts)).toEqual([macAt(3), macAt(2)]);
});

test('no machine has more than 16', () => {
  const nics = Array.from({ length: 60 }, (_, i) => nic(macAt(i + 1)));
  expect(macsOf(macAt(70), inventoryOf(saidInventory({ nics })))).toHaveLength(16);
});

test('a machine by its name', () => {
  expect(nameOfMachine(inventoryOf(saidInventory()))).toBe('Dell Inc. PowerEdge R640, serial ABC1234');
  const bare = { vendor: 'None', product: null, serial: null, uuid: null };
  expect(nameOfMachine(inventoryOf(saidInventory({ system: bare })))).toBe(
    'a machine of no known make, no serial',
  );
});
