package shop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

class OrdersTest {
  @Test
  void addsUp() {
    assertEquals(1249, Orders.total(250, 999));
  }

  @Test
  @EnabledIfSystemProperty(named = "test.level", matches = "full")
  void refusesWhatIsTooMuch() {
    assertThrows(ArithmeticException.class, () -> Orders.total(Integer.MAX_VALUE, 1));
  }
}
