import { checkAgent } from './agent-checks.ts';
import {
  checkAutorelabel,
  checkDefaultTarget,
  checkDeviceManager,
  checkFilesystemTools,
  checkFstab,
  checkInit,
  checkKernel,
  checkModules,
} from './boot-checks.ts';
import type { Bootable, CheckedImage, CheckFailure } from './check.ts';
import { checkSerialLogin } from './console-check.ts';
import { checkHostKeys, checkMachineId, checkOsRelease } from './identity-checks.ts';
import { checkInitrd, checkInitrdOpens } from './initrd-check.ts';

/** All that is wrong with an OS image; empty when it is accepted. */
export async function checkOsImage(image: CheckedImage): Promise<CheckFailure[]> {
  return [
    ...checkKernel(image),
    ...checkModules(image),
    ...(await checkInitrd(image)),
    ...checkInit(image),
    ...checkDefaultTarget(image),
    ...checkDeviceManager(image),
    ...checkSerialLogin(image),
    ...checkFstab(image),
    ...checkFilesystemTools(image),
    ...checkAutorelabel(image),
    ...checkAgent(image),
    ...checkMachineId(image),
    ...checkHostKeys(image),
    ...checkOsRelease(image),
  ];
}

/** An installer is its kernel and initrd. */
export async function checkInstallerImage(image: Bootable): Promise<CheckFailure[]> {
  return [...checkKernel(image), ...(await checkInitrdOpens(image))];
}
