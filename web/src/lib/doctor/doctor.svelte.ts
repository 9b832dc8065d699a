import * as api from '../api';
import type { DoctorReport } from '../types';

/** The last check-up, for whoever wants to know whether all is well. */
class Doctor {
  report = $state.raw<DoctorReport | null>(null);

  /** What wants to be looked at. */
  open = $derived(this.report ? this.report.summary.problem + this.report.summary.warning : 0);

  async load(): Promise<void> {
    this.report = (await api.doctor.last()).report ?? null;
  }

  async run(): Promise<void> {
    this.report = await api.doctor.run();
  }

  clear() {
    this.report = null;
  }
}

export const doctor = new Doctor();
