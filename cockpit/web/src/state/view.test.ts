import { describe, expect, it } from 'vitest';
import { readAddress, writeAddress } from './view';

describe('the address', () => {
  it('holds area and open figure, and is read back', () => {
    const at = { area: 'hangzhou.xihu', why: { indicator: 'delay_index', area: 'hangzhou.xihu.gudang' } };
    expect(writeAddress('', at)).toBe('?area=hangzhou.xihu&why=delay_index@hangzhou.xihu.gudang');
    expect(readAddress(writeAddress('?lang=zh', at))).toEqual(at);
    expect(writeAddress('?lang=zh&area=x', { area: null, why: null })).toBe('?lang=zh');
  });
  it('takes no name that is not one', () => {
    expect(readAddress('?area=<b>&why=a')).toEqual({ area: null, why: null });
    expect(readAddress('?area=../x y&why=a@')).toEqual({ area: null, why: null });
  });
});
