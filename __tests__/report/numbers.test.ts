import { describe, expect, it } from '@jest/globals';
import { against, count, difference, magnitude, multiple, percent, score } from '../../src/report/numbers.js';

describe('numbers read as a person would write them', () => {
  it.each([
    [score, 0, '0.00'],
    [score, 1, '1.00'],
    [score, 0.999, '0.99'],
    [magnitude, 96.5, '96.5'],
    [magnitude, 96.5 / 2.28125, '42.3'],
    [magnitude, 10, '10'],
    [magnitude, 12345, '12300'],
    [magnitude, 0, '0'],
    [magnitude, 2.5e-7, '2.50e-7'],
    [difference, 0.00048828125, '4.9e-4'],
    [difference, 0.0133, '0.013'],
    [difference, 3.125, '3.1'],
    [difference, 0, '0'],
    [difference, 1e-7, '1e-7'],
    [difference, 65504, '6.6e4'],
    [multiple, 0.968, '0.97×'],
    [multiple, 42.34, '42.3×'],
    [multiple, 1530.4, '1530×'],
    [multiple, 1.2e7, '1.2e7×'],
    [percent, 1, '100%'],
    [percent, 0.9999, '99.9%'],
    [percent, 0.5, '50.0%'],
    [percent, 0.0001, '<0.1%'],
    [percent, 0, '0%'],
  ])('%p of %p', (format, value, text) => expect(format(value)).toBe(text));

  it.each([score, magnitude, difference, multiple, percent])('%p of what was not measured is a dash', (format) =>
    expect(format(null)).toBe('–'),
  );

  it('shows on which side of a limit a value is', () => {
    expect(against(42.3014, 20)).toBe('42.3');
    expect(against(2.0004, 2)).toBe('2.0004');
    expect(against(1.99999, 2)).toBe('1.99999');
  });

  it('counts one and many', () => {
    expect(count(1, 'layer')).toBe('1 layer');
    expect(count(16, 'layer')).toBe('16 layers');
  });
});
