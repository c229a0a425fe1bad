/** Photos in what is dropped or chosen, folders too, with the folder that each lies in. */

export interface Found {
  file: File;
  folder: string; // the one right above it; empty: it came by itself
}

const PHOTO = /\.(jpe?g|jfif|png|gif|bmp|webp|tiff?|heic|heif|avif|jp2|ppm|pgm|pbm|pnm|tga|ico|dcm|mpo)$/i;
const UNSEEN = /^(\.|thumbs\.db$|desktop\.ini$)/i; // what systems put beside photos

export const isPhoto = (file: File): boolean => file.type.startsWith('image/') || PHOTO.test(file.name);

/** The files that were dropped, those of folders within folders too. */
export async function dropped(data: DataTransfer): Promise<Found[]> {
  // All entries are asked for at once: after the event they are gone.
  const items = [...data.items].filter((item) => item.kind === 'file');
  const given = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: Found[] = [];
  for (const { entry, file } of given) {
    if (entry?.isDirectory) await walk(entry as FileSystemDirectoryEntry, found);
    else if (file) found.push({ file, folder: '' });
  }
  return seen(found);
}

/** The files of a folder that was chosen. */
export function chosen(files: Iterable<File>): Found[] {
  return seen([...files].map((file) => ({ file, folder: file.webkitRelativePath.split('/').at(-2) ?? '' })));
}

function seen(found: readonly Found[]): Found[] {
  return found.filter(({ file }) => !UNSEEN.test(file.name));
}

async function walk(folder: FileSystemDirectoryEntry, found: Found[]): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    // A browser gives some entries at a time, and none at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, found);
      else found.push({ file: await fileOf(entry as FileSystemFileEntry), folder: folder.name });
    }
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
