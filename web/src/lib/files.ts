/** Files that a user gives. */

export const PHOTOS = 'image/*,.heic,.heif,.avif,.tif,.tiff,.jp2';
export const TEXTS = '.txt,.md,text/plain';

/** The text in a file. Throws where it is not UTF-8: a guess would change what is asked. */
export async function textOf(file: File): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name}: not a text in UTF-8. Save it as plain text (UTF-8).`);
  }
}

/** The bytes of a file in base64. */
export function base64Of(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(',', 2)[1] ?? '');
    reader.onerror = () => reject(new Error('The file can no longer be read. Choose it again.'));
    reader.readAsDataURL(file);
  });
}
