export const page = (price) => `<!doctype html>\n<title>Shop</title>\n<p>Tea: ${price}</p>\n`;
