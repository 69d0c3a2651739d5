/**
 * The little of protobuf that BuildKit's messages need.
 * Source: protobuf's encoding guide ("Base 128 varints", "Message structure").
 */

/** Field number and value of each field: bytes for wire type 2, a number for varints; fixed-width fields are passed over. */
export function* fields(data: Buffer): Generator<[number, Buffer | number]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = data[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  while (at < data.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) yield [field, varint()];
    else if (wire === 2) {
      const length = varint();
      yield [field, data.subarray(at, at + length)];
      at += length;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else return;
  }
}

/** A field of bytes, text or a nested message. */
export function bytesField(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([varintOf(field * 8 + 2), varintOf(value.length), value]);
}

/** A field with a number that is not negative. */
export function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varintOf(field * 8), varintOf(value)]);
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
