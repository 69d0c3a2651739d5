/*
 * What stands in for Linux in the images whose power is cut: a kernel by the 32-bit boot protocol (Linux:
 * Documentation/arch/x86/boot.rst) that says on the first serial port what the boot loader gave it, and starts the
 * machine again. payload.ts puts the header before it and the kernel's name behind it.
 */

/* The file begins with its entry: %esi has the boot parameters. */
__asm__("start: movl $stack + 4096, %esp\n"
        "pushl %esi\n"
        "call said\n");

char stack[4096] = "as data, so that it lies in the file";

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, RESET_CONTROL = 0xcf9 };

static void out(unsigned short port, unsigned char byte) {
  __asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

static unsigned char in(unsigned short port) {
  unsigned char byte;
  __asm__ volatile("inb %1, %0" : "=a"(byte) : "Nd"(port));
  return byte;
}

static void put(char byte) {
  while ((in(LINE_STATUS) & 0x20) == 0) {}
  out(COM1, (unsigned char)byte);
}

static void say(const char *text) {
  while (*text != '\0') put(*text++);
}

static void say_hex(unsigned number) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[number >> shift & 15]);
}

/* FNV-1a: tells whether each byte came. */
static unsigned hash(const unsigned char *bytes, unsigned count) {
  unsigned hashed = 0x811c9dc5;
  for (; count > 0; count--) hashed = (hashed ^ *bytes++) * 0x01000193;
  return hashed;
}

/* @parameters: the kernel's struct boot_params; the offsets are those of its setup header. */
void said(const unsigned char *parameters) {
  const unsigned code = *(const unsigned *)(parameters + 0x214);
  const unsigned char *name = (const unsigned char *)(code + *(const unsigned *)(parameters + 0x248));
  say("\r\n\nwarmboot payload: kernel=");
  say_hex(hash(name, *(const unsigned *)(parameters + 0x24c)));
  say(" initrd=");
  say_hex(hash(*(const unsigned char *const *)(parameters + 0x218), *(const unsigned *)(parameters + 0x21c)));
  say(" arguments=");
  say(*(const char *const *)(parameters + 0x228));
  say(" payload ends\r\n");
  for (;;) out(RESET_CONTROL, 6);
}
