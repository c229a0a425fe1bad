/** Photos as pixels: upright, over white, without colour profiles, and large ones reduced, as Pillow decodes them. */

export interface Pixels {
  width: number;
  height: number;
  rgb: Uint8Array; // row by row
}

const REDUCTIONS = [8, 4, 2]; // that a JPEG decoder knows
const STRIP = 512; // rows that are looked at at once, a multiple of each of them

/** A photo from its file; draft: pixels that the shorter side of a JPEG keeps at least. */
export async function decoded(file: Blob, draft: number): Promise<Pixels> {
  const head = new Uint8Array(await file.slice(0, 26).arrayBuffer());
  const begins = (...bytes: number[]) => bytes.every((byte, index) => head[index] === byte);
  if (begins(0x89, 0x50, 0x4e, 0x47) && head[24] === 16 && head[25] === 0) {
    throw new Error('It has more than 8 bits of grey, which this page cannot read as headstart does. Save it with 8.');
  }
  let bitmap: ImageBitmap;
  try {
    // Upright is what a browser gives where nothing is said of it; some refuse the word for it.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' });
  } catch {
    throw new Error('This browser cannot open it as a photo. Save it as JPEG or PNG.');
  }
  return pixelsOf(bitmap, begins(0xff, 0xd8, 0xff) ? draft : Infinity);
}

/** The pixels of a bitmap, which is closed. */
export function pixelsOf(bitmap: ImageBitmap, draft: number): Pixels {
  const shorter = Math.min(bitmap.width, bitmap.height);
  const scale = REDUCTIONS.find((each) => shorter / each >= draft) ?? 1;
  const [width, height] = [Math.ceil(bitmap.width / scale), Math.ceil(bitmap.height / scale)];
  const rgb = new Uint8Array(3 * width * height);
  const canvas = new OffscreenCanvas(bitmap.width, Math.min(STRIP, bitmap.height));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('This browser gives no room for the photo.');
  context.fillStyle = '#fff';
  for (let top = 0; top < bitmap.height; top += STRIP) {
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, -top);
    const rows = Math.min(STRIP, bitmap.height - top);
    const strip = context.getImageData(0, 0, bitmap.width, rows);
    rgb.set(averaged(strip, scale), (3 * width * top) / scale);
  }
  bitmap.close();
  return { width, height, rgb };
}

/** The mean of each block of scale x scale pixels: next to what a JPEG decoder gives that reduces. */
function averaged({ data, width, height }: ImageData, scale: number): Uint8Array {
  const [columns, rows] = [Math.ceil(width / scale), Math.ceil(height / scale)];
  const rgb = new Uint8Array(3 * columns * rows);
  for (let row = 0; row < rows; row++) {
    const [y0, y1] = [row * scale, Math.min((row + 1) * scale, height)];
    for (let column = 0; column < columns; column++) {
      const [x0, x1] = [column * scale, Math.min((column + 1) * scale, width)];
      let [red, green, blue] = [0, 0, 0];
      for (let y = y0; y < y1; y++) {
        for (let at = 4 * (y * width + x0), end = 4 * (y * width + x1); at < end; at += 4) {
          red += data[at]!;
          green += data[at + 1]!;
          blue += data[at + 2]!;
        }
      }
      const [n, at] = [(y1 - y0) * (x1 - x0), 3 * (row * columns + column)];
      rgb[at] = toEven(red / n);
      rgb[at + 1] = toEven(green / n);
      rgb[at + 2] = toEven(blue / n);
    }
  }
  return rgb;
}

/** Halves go to the even number: upwards, they would make the whole photo lighter than a decoder does. */
function toEven(value: number): number {
  const whole = Math.floor(value);
  return value - whole === 0.5 ? whole + (whole % 2) : Math.round(value);
}
