// Numbers that a seed decides, the same on every machine.

export class Random {
  constructor(seed) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 4; i++) this.next();
  }
  /// 32 bits (mulberry32).
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /// From 0 up to `count`, without it.
  below(count) { return this.next() % count; }
  between(low, high) { return low + this.below(high - low + 1); }
  chance(percent) { return this.next() % 10000 < percent * 100; }
  pick(list) { return list[this.below(list.length)]; }
  /// Each with its chance.
  some(list, percent) { return list.filter(() => this.chance(percent)); }
}
