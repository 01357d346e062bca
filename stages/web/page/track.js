// The probabilities of a video, frame by frame, out of the server's view.json.

const UNKNOWN = 255;
const UNDECIDED = 0xffff;

function bytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export class Track {
  constructor(view) {
    this.aus = view.aus;
    this.notes = view.notes;
    this.loudness = view.loudness;
    this.times = new Float64Array(bytes(view.times).buffer);
    this.faces = view.faces.map((face) => ({
      id: face.id,
      levels: bytes(face.probabilities),
      active: new Uint16Array(bytes(face.active).buffer),
      seen: bytes(face.seen),
    }));
  }

  get length() {
    return this.times.length;
  }

  get step() {
    const { times } = this;
    return times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : 0.04;
  }

  get end() {
    return this.times.at(-1) + this.step;
  }

  // Number of the frame that is on the screen at a time, from 0.
  frameAt(time) {
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      // players round times to microseconds
      if (this.times[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // A time at which a frame is on the screen: a quarter into it, away from both of its ends.
  within(frame) {
    const next = frame + 1 < this.length ? this.times[frame + 1] : this.end;
    return this.times[frame] + (next - this.times[frame]) / 4;
  }

  // From 0 to 1; null where nothing is known.
  level(face, frame, au) {
    const value = this.faces[face].levels[frame * this.aus.length + au];
    return value === UNKNOWN ? null : value / 254;
  }

  active(face, frame, au) {
    const bits = this.faces[face].active[frame];
    return bits !== UNDECIDED && Boolean(bits & (1 << au));
  }

  seen(face, frame) {
    return Boolean(this.faces[face].seen[frame]);
  }

  // Columns of a heatmap between two times: a frame each, or the highest of several.
  columns(face, from, to, most) {
    const first = this.frameAt(from);
    const last = this.frameAt(to);
    const group = Math.ceil((last - first + 1) / most);
    const edges = [];
    const rows = this.aus.map(() => []);
    const marks = this.aus.map(() => []);
    for (let start = first; start <= last; start += group) {
      edges.push(this.times[start]);
      const stop = Math.min(start + group, last + 1);
      for (let au = 0; au < this.aus.length; au += 1) {
        let highest = null;
        let active = false;
        for (let frame = start; frame < stop; frame += 1) {
          const level = this.level(face, frame, au);
          if (level !== null && (highest === null || level > highest)) highest = level;
          active ||= this.active(face, frame, au);
        }
        rows[au].push(highest);
        marks[au].push(active);
      }
    }
    edges.push(last + 1 < this.length ? this.times[last + 1] : this.end);
    return { edges, rows, marks };
  }
}
