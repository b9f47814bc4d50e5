// The arithmetic of the playground, without the page: what `mgd_helpers` does, for points [x, y] in the plane.
// `make browser` compares every function with the package, in double precision.
//
// Settings: {strength, softness, above, neighbors, targets, together}. Particle j has the target j modulo their number;
// with `together`, all particles share the targets out among themselves. A level is {signal, noise}.

const playgroundArithmetic = (() => {
  const EPSILON = 0.02; // weight of the entropy, in units of the mean cost
  const ROUNDS = 30; // of Sinkhorn's iterations
  const CLEAN = { signal: 1, noise: 0 };

  const squared = (one, other) => (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2;
  const distance = (one, other) => Math.sqrt(squared(one, other));
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  // Standard normal points, the same for the same seed: mulberry32, then the formula of Box and Muller
  function noise(seed, count) {
    let state = seed >>> 0;
    const uniform = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
    return Array.from({ length: count }, () => {
      const [radius, angle] = [Math.sqrt(-2 * Math.log(uniform())), 2 * Math.PI * uniform()];
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
  }

  // The exact denoiser of a cloud: its mean, weighted by how likely each point is to have become the sample
  function denoised(sample, cloud, level) {
    const squares = new Float64Array(cloud.length);
    let least = Infinity;
    for (let i = 0; i < cloud.length; i += 1) {
      const [dx, dy] = [sample[0] - level.signal * cloud[i][0], sample[1] - level.signal * cloud[i][1]];
      squares[i] = dx * dx + dy * dy;
      if (squares[i] < least) least = squares[i];
    }
    let [total, x, y] = [0, 0, 0];
    for (let i = 0; i < cloud.length; i += 1) {
      const weight = Math.exp((least - squares[i]) / (2 * level.noise ** 2));
      total += weight;
      x += weight * cloud[i][0];
      y += weight * cloud[i][1];
    }
    return [x / total, y / total];
  }

  // The `count` points of the cloud that are nearest to a point
  function nearest(point, cloud, count) {
    const [found, squares] = [[], []]; // nearest first
    for (const candidate of cloud) {
      const square = squared(point, candidate);
      if (found.length === count && square >= squares[count - 1]) continue;
      if (found.length === count) {
        found.pop();
        squares.pop();
      }
      let place = found.length;
      while (place > 0 && squares[place - 1] > square) place -= 1;
      found.splice(place, 0, candidate);
      squares.splice(place, 0, square);
    }
    return found;
  }

  // The direction in which the neighbours of a point vary most, of length one: local PCA of rank 1
  function tangent(point, cloud, neighbors) {
    const near = nearest(point, cloud, neighbors);
    const [cx, cy] = [mean(near.map(([x]) => x)), mean(near.map(([, y]) => y))];
    let [xx, xy, yy] = [0, 0, 0];
    for (const [x, y] of near) {
      xx += (x - cx) ** 2;
      xy += (x - cx) * (y - cy);
      yy += (y - cy) ** 2;
    }
    const angle = Math.atan2(2 * xy, xx - yy) / 2;
    return [Math.cos(angle), Math.sin(angle)];
  }

  // Where each particle is to go when they share the targets out: the barycentres of an entropic transport plan
  function shared(points, targets) {
    const cost = points.map((point) => targets.map((target) => squared(point, target)));
    const unit = EPSILON * Math.max(mean(cost.map(mean)), 1e-20);
    const scores = cost.map((row) => row.map((entry) => -entry / unit));
    const logSum = (numbers) => {
      const most = numbers.reduce((a, b) => Math.max(a, b));
      return most + Math.log(numbers.reduce((sum, number) => sum + Math.exp(number - most), 0));
    };
    let [rows, columns] = [points.map(() => 0), []];
    for (let round = 0; round < ROUNDS; round += 1) {
      columns = targets.map((_, l) => -Math.log(targets.length) - logSum(scores.map((row, j) => row[l] + rows[j])));
      rows = scores.map((row) => -Math.log(points.length) - logSum(row.map((score, l) => score + columns[l])));
    }
    return scores.map((row, j) => {
      const plan = row.map((score, l) => Math.exp(score + rows[j] + columns[l]));
      const total = plan.reduce((a, b) => a + b);
      return [0, 1].map((axis) => plan.reduce((sum, mass, l) => sum + mass * targets[l][axis], 0) / total);
    });
  }

  // Where each of the points is to go
  function goals(points, settings) {
    if (settings.together) return shared(points, settings.targets);
    return points.map((_, j) => settings.targets[j % settings.targets.length]);
  }

  // Guided guesses: each is moved by strength * (pull - softness * its part at right angles to the curve)
  function guided(guesses, cloud, level, settings) {
    const share = level.noise / Math.hypot(level.signal, level.noise);
    if (share <= settings.above) return guesses;
    const ends = goals(guesses, settings);
    const soft = settings.together ? 0 : settings.softness; // the transport pull of the package knows no softness
    return guesses.map((guess, j) => {
      let pull = [ends[j][0] - guess[0], ends[j][1] - guess[1]];
      if (soft > 0) {
        const [x, y] = tangent(guess, cloud, settings.neighbors);
        const along = pull[0] * x + pull[1] * y;
        pull = [pull[0] - soft * (pull[0] - along * x), pull[1] - soft * (pull[1] - along * y)];
      }
      return [guess[0] + settings.strength * pull[0], guess[1] + settings.strength * pull[1]];
    });
  }

  // One step of DDIM: the noise that the guess leaves comes back in the dose of the level that follows
  function step(samples, cloud, level, following, settings) {
    const guesses = samples.map((sample) => denoised(sample, cloud, level));
    const moved = guided(guesses, cloud, level, settings);
    return samples.map((sample, j) =>
      [0, 1].map((axis) => {
        const found = (sample[axis] - level.signal * moved[j][axis]) / level.noise;
        return following.signal * moved[j][axis] + following.noise * found;
      }),
    );
  }

  // The levels of a run: every (100 / steps)-th of a table of 100, from pure noise on, and a clean point at the end
  function levelsOf(table, steps) {
    const stride = table.length / steps;
    const used = table.filter((_, place) => (place + 1) % stride === 0);
    return [...used.reverse().map(([signal, noise]) => ({ signal, noise })), CLEAN];
  }

  // The samples after the first `taken` steps
  function run(start, cloud, levels, settings, taken = levels.length - 1) {
    let samples = start;
    for (let t = 0; t < taken; t += 1) samples = step(samples, cloud, levels[t], levels[t + 1], settings);
    return samples;
  }

  // Mean distances to the curve and to the goals, and how many particles are nearest to each target
  function measure(samples, cloud, settings) {
    const ends = goals(samples, settings);
    const counts = settings.targets.map(() => 0);
    for (const sample of samples) {
      const squares = settings.targets.map((target) => squared(sample, target));
      counts[squares.indexOf(Math.min(...squares))] += 1;
    }
    return {
      curve: mean(samples.map((sample) => distance(sample, nearest(sample, cloud, 1)[0]))),
      target: mean(samples.map((sample, j) => distance(sample, ends[j]))),
      counts,
    };
  }

  return { noise, denoised, tangent, shared, guided, step, levelsOf, run, measure };
})();
