#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(struct failure *why, enum outcome code, const char *format, ...) {
  if (why->code != DONE) return false;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why->text, sizeof why->text, format, arguments);
  va_end(arguments);
  why->code = code;
  return false;
}
