// What a case is about, in the reader's language, where the alert came as facts behind a code ("zone_seen|2026-09-21 08:00:00|camera|pseudonym"); words are told as they are.
import { w } from '../../i18n/cases';

export function caseDetail(detail: string): string {
  const [code, time, camera, pseudonym] = detail.split('|');
  return code === 'zone_seen' && time && camera && pseudonym ? w('zone_seen', { time, camera, pseudonym }) : detail;
}
