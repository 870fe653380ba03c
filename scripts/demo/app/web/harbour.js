const form = document.querySelector('form');

async function show() {
  const { place, berths, from } = await (await fetch('api/berths')).json();
  document.querySelector('#place').textContent = `${place} · berths taken: ${berths.length} · read from the ${from}`;
  document
    .querySelector('#berths')
    .replaceChildren(...berths.map(({ ship }) => Object.assign(document.createElement('li'), { textContent: ship })));
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  await fetch('api/berths', { method: 'POST', body: JSON.stringify({ ship: form.ship.value }) });
  form.reset();
  await show();
});

show();
