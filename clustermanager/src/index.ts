export type { AdminKey, LogFields, ManagerOptions, ManagerTelemetry } from './options.js';
export { type Manager, startManager } from './start-manager.js';
