# Writes a test report, as the test tools of larger projects do.
mkdir -p out
if page=$(wget -qO- http://web:8080/) && echo "$page" | grep -q 'Tea: 2.50'; then
  echo '<testsuite name="smoke"><testcase name="the page shows the price of tea"/></testsuite>' >out/smoke.xml
else
  echo '<testsuite name="smoke"><testcase name="the page shows the price of tea"><failure/></testcase></testsuite>' >out/smoke.xml
fi
