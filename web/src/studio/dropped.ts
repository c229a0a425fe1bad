/** Photos in what is dropped or chosen, folders too, with the folder that each lies in. */

export interface Found {
  file: File;
  folder: string; // the one right above it; empty: it came by itself
}

const PHOTO = /\.(jpe?g|jfif|png|gif|bmp|webp|tiff?|heic|heif|avif|jp2|ppm|pgm|pbm|pnm|tga|ico|dcm|mpo)$/i;
const UNSEEN = /^(\.|thumbs\.db$|desktop\.ini$)/i; // what systems put beside photos

const depth = (path: string): number => path.split('/').length;

export const isPhoto = (file: File): boolean => file.type.startsWith('image/') || PHOTO.test(file.name);

/** The files that were dropped, those of folders within folders too. */
export async function dropped(data: DataTransfer): Promise<Found[]> {
  // All entries are asked for at once: after the event they are gone.
  const items = [...data.items].filter((item) => item.kind === 'file');
  const given = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: Found[] = [];
  for (const { entry, file } of given) {
    const walked: Walked[] = [];
    if (entry?.isDirectory) await walk(entry as FileSystemDirectoryEntry, entry.name, walked);
    else if (file) found.push({ file, folder: '' });
    found.push(...sorted(walked));
  }
  return found;
}

/** The files of a folder that was chosen. */
export function chosen(files: Iterable<File>): Found[] {
  return sorted([...files].map((file) => ({ file, path: file.webkitRelativePath })));
}

interface Walked {
  file: File;
  path: string; // from the folder that was given on
}

/** With the class that each is of: its folder. Where a folder has folders of photos, one right in it is of none. */
function sorted(walked: readonly Walked[]): Found[] {
  const hidden = (path: string): boolean => path.split('/').at(-2)?.startsWith('.') ?? false;
  const seen = walked.filter(({ file, path }) => !UNSEEN.test(file.name) && (isPhoto(file) || !hidden(path)));
  const hasFolders = seen.some(({ file, path }) => isPhoto(file) && depth(path) > 2);
  return seen.map(({ file, path }) => ({
    file,
    folder: hasFolders && depth(path) === 2 ? '' : (path.split('/').at(-2) ?? ''),
  }));
}

async function walk(folder: FileSystemDirectoryEntry, path: string, found: Walked[]): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    // A browser gives some entries at a time, and none at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const entry of entries) {
      const below = `${path}/${entry.name}`;
      if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, below, found);
      else found.push({ file: await fileOf(entry as FileSystemFileEntry), path: below });
    }
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
