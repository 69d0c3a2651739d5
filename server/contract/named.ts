import { z } from '@hono/zod-openapi';

/**
 * An object whose names are free. `__proto__` cannot be one of them, for JavaScript gives it a meaning of its own, and `z.record`
 * would pass over it without a word.
 */
export const named = <Name extends z.core.$ZodRecordKey, Value extends z.core.SomeType>(
  name: Name,
  value: Value,
) =>
  z.preprocess(
    (given: z.input<z.ZodRecord<Name, Value>>, context) => {
      if (typeof given === 'object' && given !== null && Object.hasOwn(given, '__proto__'))
        context.addIssue({ code: 'custom', message: '"__proto__" cannot be a name' });
      return given;
    },
    z.record(name, value),
  );
